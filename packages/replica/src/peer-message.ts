export type PeerMessage = { readonly kind: 'placeholderUntilTheReplicaCommit' };
export function encodePeerFrame(_messages: readonly PeerMessage[]): Uint8Array {
  return new Uint8Array(0);
}
export function decodePeerFrame(_bytes: Uint8Array): PeerMessage[] {
  return [];
}
