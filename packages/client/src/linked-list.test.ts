import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LinkedList, type Linked } from './linked-list.ts';

class Member implements Linked<Member> {
  list: LinkedList<Member> | null = null;
  previous: Member | null = null;
  next: Member | null = null;
}

it('has what was added and not removed, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 })), (toggles) => {
      const members = Array.from({ length: 21 }, () => new Member());
      const list = new LinkedList<Member>();
      const expected = new Set<Member>();
      for (const index of toggles) {
        const member = members[index] as Member;
        if (expected.delete(member)) {
          list.remove(member);
        } else {
          list.add(member);
          expected.add(member);
        }
        expect(list.all()).toEqual([...expected]);
        expect(list.size).toBe(expected.size);
      }
      for (const member of members) if (!expected.has(member)) expect(member.next ?? member.previous).toBeNull();
    }),
  );
});

it('lets go of a member of its own only', () => {
  const member = new Member();
  const list = new LinkedList<Member>();
  list.add(member);
  new LinkedList<Member>().remove(member);
  expect(list.all()).toEqual([member]);
  expect(() => new LinkedList<Member>().add(member)).toThrow('one list');
});
