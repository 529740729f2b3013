import { equalDots, valueDigest, valueType, type Operation, type Value } from '@skerry/crdt';

export function sameDigest(key: string, a: Value, b: Value): boolean {
  const [mine, theirs] = [valueDigest(key, a), valueDigest(key, b)];
  return mine.high === theirs.high && mine.low === theirs.low;
}

export function isRegister({ body }: Operation): boolean {
  return (
    body.type === 'register' ||
    (body.type === 'delete' && body.parts.length === 1 && body.parts[0]?.type === 'register')
  );
}

/** It writes or deletes a register, be it with what else stands under the key. */
export function concernsRegister({ body }: Operation): boolean {
  return body.type === 'register' || (body.type === 'delete' && body.parts.some(({ type }) => type === 'register'));
}

export function replacesRegister({ body }: Operation, current: Value): boolean {
  const register = current.parts.find((part) => part.type === 'register');
  if (register?.type !== 'register') return false;
  const part = body.type === 'delete' ? body.parts.find(({ type }) => type === 'register') : body;
  return part?.type === 'register' && part.replaces !== null && equalDots(part.replaces, register.dot);
}

/** A merge that changes nothing hands back the parts it was given, where it can tell. */
export function sameParts(a: Value, b: Value): boolean {
  return a.parts.length === b.parts.length && a.parts.every((part, index) => part === b.parts[index]);
}

/** The register is the same write, so it hangs on the same lease. */
export function sameRegister(a: Value | null, b: Value): boolean {
  const [mine, theirs] = [
    a?.parts.find(({ type }) => type === 'register'),
    b.parts.find(({ type }) => type === 'register'),
  ];
  return (
    mine?.type === 'register' &&
    theirs?.type === 'register' &&
    equalDots(mine.dot, theirs.dot) &&
    valueType(b) === 'register'
  );
}
