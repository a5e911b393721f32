export declare function payloadOf(
  publisher: number,
  number: number,
): { readonly publisher: number; readonly number: number; readonly filler: string };
