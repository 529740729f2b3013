import type { WelcomeMessage } from '@skerry/protocol';
import type { Host } from './host.ts';
import { Link, type LinkOptions } from './link.ts';

export interface Probed {
  readonly welcome: WelcomeMessage;
  /** Of one ping after the greeting. */
  readonly roundTripMs: number;
}

/** Greets a node, pings it once, and hangs up. `done` is told once; null: no answer within `openTimeoutMs`. Returns what cancels it. */
export function probe(
  { host, url, options }: { readonly host: Host; readonly url: string; readonly options: LinkOptions },
  done: (probed: Probed | null) => void,
): () => void {
  let ended = false;
  const end = (probed: Probed | null): void => {
    if (ended) return;
    ended = true;
    cancelTimer();
    link.close('measured');
    done(probed);
  };
  const cancelTimer = host.setTimer(options.openTimeoutMs, () => {
    end(null);
  });
  const link = new Link(url, {
    host,
    options,
    listener: {
      onWelcome: (welcome) => {
        link.measure((roundTripMs) => {
          end({ welcome, roundTripMs });
        });
      },
      onMessages: () => {},
      onDown: () => {
        end(null);
      },
    },
  });
  return () => {
    if (ended) return;
    ended = true;
    cancelTimer();
    link.close('not needed');
  };
}
