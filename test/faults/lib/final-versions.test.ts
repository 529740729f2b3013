import { HistoryRecorder, type History } from '@skerry/checkers';
import { describe, expect, it } from 'vitest';
import { FinalVersions } from './final-versions.ts';

describe('final versions', () => {
  it('replace the one of a write that was promoted with a lower stamp, wherever its value was seen', () => {
    const finals = new FinalVersions();
    finals.note({ key: 'k', value: 'fast', accepted: '9' }, { state: 'promoted', version: '5' });
    expect(versionsOf(finals.in(recorded()))).toEqual(['5', '5', '6']);
  });

  it('are unknown for one that lost against a lower stamp than its own', () => {
    const finals = new FinalVersions();
    finals.note({ key: 'k', value: 'fast', accepted: '9' }, { state: 'superseded', version: '6' });
    expect(versionsOf(finals.in(recorded()))).toEqual([undefined, undefined, '6']);
  });

  it('leave everything else as it is', () => {
    const finals = new FinalVersions();
    finals.note({ key: 'k', value: 'fast', accepted: '9' }, { state: 'promoted', version: '9' });
    expect(finals.count).toBe(0);
    expect(versionsOf(finals.in(recorded()))).toEqual(['9', '9', '6']);
  });
});

function recorded(): History {
  const recorder = new HistoryRecorder({ nowMs: () => 0 });
  recorder.invoke('a', { op: 'set', key: 'k', value: 'fast' }, { consistent: false }).accepted('9');
  recorder.invoke('a', { op: 'get', key: 'k' }).ok({ outcome: 'read', value: 'fast', version: '9' });
  recorder.invoke('b', { op: 'set', key: 'k', value: 'other' }).ok({ outcome: 'applied', version: '6' });
  return recorder.history();
}

function versionsOf({ events }: History): (string | undefined)[] {
  return events.flatMap((event) => {
    if (event.kind === 'accepted') return [event.version];
    return event.kind === 'ok' ? [event.output.version] : [];
  });
}
