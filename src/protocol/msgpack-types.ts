/** Values that MessagePack has and JavaScript has not. */

/** A value of an application's own type (MessagePack's ext): carried as it is, in both directions. */
export class ExtensionValue {
  /** −128 to 127; those below 0 belong to MessagePack itself. */
  readonly type: number;
  readonly data: Uint8Array;

  constructor(type: number, data: Uint8Array) {
    if (!Number.isInteger(type) || type < -128 || type > 127 || !(data instanceof Uint8Array)) {
      throw new RangeError('an extension has a type from -128 to 127 and a Uint8Array as data');
    }
    this.type = type;
    this.data = data;
  }
}

/** A number that is sent as float64 also where it is an integer, as times are. */
export class Float64 {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}
