import type { NodeStatus } from '@skerry/protocol';

const timeoutMs = 3_000;

/** What a node's administration port says of it, or why it says nothing. */
export async function fetchStatus(
  adminUrl: string,
  signal: AbortSignal,
): Promise<NodeStatus | { readonly problem: string }> {
  if (adminUrl === '') return { problem: 'not announced yet' };
  try {
    const response = await fetch(new URL('/status', adminUrl), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    if (!response.ok) return { problem: `answers ${response.status}` };
    return (await response.json()) as NodeStatus;
  } catch (error) {
    const { cause, name, message } = error as Error;
    if (name === 'TimeoutError') return { problem: `no answer within ${timeoutMs} ms` };
    return { problem: `unreachable (${(cause as NodeJS.ErrnoException | undefined)?.code ?? message})` };
  }
}
