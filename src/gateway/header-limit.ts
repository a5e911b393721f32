/**
 * How large the headers of a request may be. uWebSockets.js reads it from an environment variable when its binary is
 * loaded, once per process.
 */

const VARIABLE = 'UWS_HTTP_MAX_HEADERS_SIZE';

let inForceBytes: number | null = null;

/** Call before uWebSockets.js is loaded. What to tell when another engine of this process has come first; null: nothing. */
export function limitHeaders(maxHeaderBytes: number): string | null {
  if (inForceBytes === null) {
    inForceBytes = maxHeaderBytes;
    process.env[VARIABLE] = String(maxHeaderBytes);
  }
  if (inForceBytes === maxHeaderBytes) return null;
  return `maxHeaderBytes is ${inForceBytes} for the whole process, as its first engine has it, and not ${maxHeaderBytes}.`;
}
