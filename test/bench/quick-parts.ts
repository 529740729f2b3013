/** What the table of figures is measured in, one after the other. */
export const quickParts = ['peers', 'size', 'ramp'] as const;

export type QuickPart = (typeof quickParts)[number];
