import type { NodeStatus, RegionStatus } from '@skerry/protocol';

const timeoutMs = 3_000;

/** A node's administration port did not say what was asked; why, for people. */
export interface AdminProblem {
  readonly problem: string;
}

/** What a node's administration port says of it, or why it says nothing. */
export function fetchStatus(adminUrl: string, signal: AbortSignal): Promise<NodeStatus | AdminProblem> {
  return fetchAdmin<NodeStatus>('/status', adminUrl, signal);
}

/** How a node sees the regions, or why it says nothing. */
export function fetchRegions(
  adminUrl: string,
  signal: AbortSignal,
): Promise<{ readonly regions: readonly RegionStatus[] } | AdminProblem> {
  return fetchAdmin('/admin/regions', adminUrl, signal);
}

async function fetchAdmin<Body extends object>(
  path: string,
  adminUrl: string,
  signal: AbortSignal,
): Promise<Body | AdminProblem> {
  if (adminUrl === '') return { problem: 'not announced yet' };
  try {
    const response = await fetch(new URL(path, adminUrl), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    if (!response.ok) return { problem: `answers ${response.status}` };
    return (await response.json()) as Body;
  } catch (error) {
    const { cause, name, message } = error as Error;
    if (name === 'TimeoutError') return { problem: `no answer within ${timeoutMs} ms` };
    return { problem: `unreachable (${(cause as NodeJS.ErrnoException | undefined)?.code ?? message})` };
  }
}
