/** FAULTS section 2, F1 to F15: the scenarios that make each of them happen. The README says the same, for people. */
export const faultTable: Readonly<Record<string, readonly string[]>> = {
  F1: ['kills', 'kill-points', 'failover-kill'],
  F2: ['pauses', 'failover-pause'],
  F3: ['partitions', 'minority', 'region-cut', 'broker-faults'],
  F4: ['bad-lines', 'partitions'],
  F5: ['power-cut', 'power-cut-some'],
  F6: ['failing-disks', 'full-disk'],
  F7: ['slow-disks', 'failover-hung-disk'],
  F8: ['corrupt', 'damaged-data'],
  F9: ['clock-faults'],
  F10: ['membership'],
  F11: ['broker-faults'],
  F12: ['odd-clients', 'many-sockets'],
  F13: ['mixed-versions', 'mixed-builds', 'rolling-restart'],
  F14: ['starved'],
  F15: ['lost-region', 'region-stop'],
};
