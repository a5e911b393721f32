/** The one table of error codes: HTTP status, WebSocket close code, whether the client should try again, meaning. */

export interface ErrorEntry {
  /** Status that the same refusal has over HTTP. */
  readonly httpStatus: number;
  /** WebSocket close code when the error ends the connection; null: it never does. */
  readonly closeCode: number | null;
  /** Whether the same request may succeed later without a change by the client. */
  readonly retry: boolean;
  readonly meaning: string;
}

export const ERROR_TABLE = {
  BAD_REQUEST: {
    httpStatus: 400,
    closeCode: 1007,
    retry: false,
    meaning: 'The frame or its fields are not what the protocol says.',
  },
  UNAUTHORIZED: { httpStatus: 401, closeCode: 1008, retry: false, meaning: 'Who the client is could not be shown.' },
  FORBIDDEN: { httpStatus: 403, closeCode: 1008, retry: false, meaning: 'The client may not do this.' },
  TOPIC_NOT_FOUND: {
    httpStatus: 404,
    closeCode: 1008,
    retry: false,
    meaning: 'No such topic or alias, and topics are not created on first use.',
  },
  CONFLICT: { httpStatus: 409, closeCode: null, retry: false, meaning: 'The request contradicts what exists.' },
  TOO_LARGE: { httpStatus: 413, closeCode: 1009, retry: false, meaning: 'The message exceeds maxPayloadBytes.' },
  SLOW_CONSUMER: {
    httpStatus: 429,
    closeCode: 1013,
    retry: true,
    meaning: 'The subscriber fell too far behind and its policy is to disconnect.',
  },
  RATE_LIMITED: { httpStatus: 429, closeCode: 1013, retry: true, meaning: 'Too many requests in too short a time.' },
  LIMIT_EXCEEDED: { httpStatus: 429, closeCode: null, retry: false, meaning: 'A configured limit is reached.' },
  OVERLOADED: {
    httpStatus: 503,
    closeCode: null,
    retry: true,
    meaning: 'The topic’s home is full (a lane’s ring, the logs of cold topics): the message was not accepted.',
  },
  UNRECOVERABLE_POSITION: {
    httpStatus: 410,
    closeCode: null,
    retry: false,
    meaning: 'The position asked for is no longer retained, or belongs to another epoch.',
  },
  SHUTTING_DOWN: { httpStatus: 503, closeCode: 1001, retry: true, meaning: 'The server is about to stop.' },
  TIMEOUT: {
    httpStatus: 504,
    closeCode: null,
    retry: true,
    meaning: 'No answer came in time; whether the request took effect is not known.',
  },
  INTERNAL: { httpStatus: 500, closeCode: 1011, retry: true, meaning: 'A fault of the server.' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** An operating error with a stable code. */
export class RingcastError extends Error {
  override readonly name = 'RingcastError';
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** Whether the same request may succeed later without a change: what `details` say, else the table. */
  get retry(): boolean {
    const given = (this.details as { readonly retry?: unknown } | null | undefined)?.retry;
    if (typeof given === 'boolean') return given;
    // A later version of the server may have codes that this table lacks.
    return Object.hasOwn(ERROR_TABLE, this.code) && ERROR_TABLE[this.code].retry;
  }
}

/** What was thrown, in words. Programs may throw anything, also what throws when it is looked at. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown);
  } catch {
    return 'it threw something that cannot be shown';
  }
}

/** What a program's getters threw, as the refusal of what they were asked for. */
export function refusalOf(thrown: unknown, what: string): RingcastError {
  try {
    if (thrown instanceof RingcastError) return thrown;
  } catch {
    // Whatever it is, it is none.
  }
  return new RingcastError('BAD_REQUEST', `${what}: ${reasonOf(thrown)}`);
}
