/** A promise that was seen broken. */
export interface RunViolation {
  /** `I1` to `I14`, or in words what else must hold. */
  readonly invariant: string;
  readonly message: string;
}
