/**
 * On which line of a TOML or JSON file a field is. The parsers do not say; a field's name, counted through the elements of
 * the lists that it is in, does well enough for a message. Null rather than a wrong line where that is not clear.
 */

/** @param path names and list indices from the root to the field */
export function lineOfField(text: string, path: readonly (string | number)[]): number | null {
  const lines = text.split('\n');
  const isJson = /^\s*[{[]\s*("|$)/.test(text);
  const line = isJson ? lineInJson(lines, path) : lineInToml(lines, path);
  return line === -1 ? null : line + 1;
}

function lineInToml(lines: readonly string[], path: readonly (string | number)[]): number {
  let from = 0;
  let until = lines.length;
  let found = -1;
  for (let index = 0; index < path.length; index++) {
    const name = path[index];
    if (typeof name === 'number') continue;
    const element = path[index + 1];
    if (typeof element === 'number') {
      // [[name]], counted; it ends where the next table of the root begins.
      const heads = matches(lines, new RegExp(`^\\s*\\[\\[\\s*${escaped(name)}\\s*\\]\\]`), 0, lines.length);
      if (heads[element] === undefined) return -1;
      from = heads[element];
      until = heads[element + 1] ?? nextTable(lines, from + 1, name);
      found = from;
      continue;
    }
    const field = new RegExp(`(^|[{,.])\\s*"?${escaped(name)}"?\\s*[.=]|^\\s*\\[[^\\]]*\\b${escaped(name)}\\s*\\]`);
    const [first] = matches(lines, field, from, until);
    if (first === undefined) return found; // missing: where it should have been
    found = first;
    from = first;
  }
  return found;
}

function nextTable(lines: readonly string[], from: number, name: string): number {
  const [next] = matches(lines, new RegExp(`^\\s*\\[\\[?\\s*(?!${escaped(name)}\\.)`), from, lines.length);
  return next ?? lines.length;
}

function matches(lines: readonly string[], pattern: RegExp, from: number, until: number): number[] {
  const found: number[] = [];
  for (let line = from; line < until; line++) if (pattern.test(lines[line])) found.push(line);
  return found;
}

/** Goes through the text's tokens and keeps the path to where it is. */
function lineInJson(lines: readonly string[], path: readonly (string | number)[]): number {
  const wanted = path.join('\u0000');
  const text = lines.join('\n');
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  const stack: { isList: boolean; key: string | number }[] = [];
  let line = 0;
  let from = 0;
  let best = -1;
  let bestLength = 0;
  let pendingKey: string | null = null;
  const note = (): void => {
    const here = stack.map(({ key }) => key).join('\u0000');
    const isOnTheWay = wanted === here || wanted.startsWith(`${here}\u0000`);
    if (here === '' || !isOnTheWay || stack.length <= bestLength) return;
    best = line;
    bestLength = stack.length;
  };
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    line += text.slice(from, match.index).split('\n').length - 1;
    from = match.index;
    const [token] = match;
    const top = stack.at(-1);
    if (token === '{' || token === '[') {
      if (top?.isList === true) note();
      stack.push({ isList: token === '[', key: token === '[' ? 0 : '' });
      if (token === '[') note();
    } else if (token === '}' || token === ']') {
      stack.pop();
    } else if (token === ',') {
      if (top?.isList === true) top.key = (top.key as number) + 1;
      pendingKey = null;
    } else if (token === ':') {
      if (top !== undefined && pendingKey !== null) top.key = pendingKey;
      note();
    } else if (token.startsWith('"')) {
      pendingKey = token.slice(1, -1);
      if (top?.isList === true) note();
    } else if (top?.isList === true) {
      note();
    }
  }
  return best;
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
