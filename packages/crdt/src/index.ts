export {
  clampStamp, compareStamps, decodeStamp, encodeStamp, equalStamps, stampAfter, stampBytes, stampCounterMax, stampFromText,
  stampMax, stampToText, stampWallMsMax, stampZero, type Stamp,
} from './stamp.ts';
export { HybridClock } from './clock.ts';
export { compareDots, decodeDot, dotFromText, dotToText, encodeDot, equalDots, type Dot } from './dot.ts';
export { CausalContext, type ContextEntry } from './context.ts';
export { IntervalSet } from './intervals.ts';
