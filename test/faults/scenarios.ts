import { failoverKill } from './failover-kill.ts';
import type { Scenario } from './lib/scenario.ts';

/** Every check that `npm run faults` knows, in the order in which it runs them. A new one is a file of its own and a line here. */
export const scenarios: readonly Scenario[] = [failoverKill];
