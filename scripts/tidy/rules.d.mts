/** Types of the rules, for their tests. */
export interface Repository {
  readonly paths: readonly string[];
  read(path: string): string;
}
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
  readonly reason: string;
}
export const RULES: readonly { readonly name: string; readonly reason: string }[];
export function findProblems(repository: Repository): Problem[];
