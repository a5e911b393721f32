/** Standard base64 with padding, for binary payloads in JSON. Runs in Node and browsers. */

/** btoa() takes a string of bytes; built in pieces because `apply` takes a limited number of arguments. */
const CHUNK_BYTES = 8192;

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode.apply(null, bytes.subarray(start, start + CHUNK_BYTES) as unknown as number[]);
  }
  return btoa(binary);
}
