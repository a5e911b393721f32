/** What the rules need to know about a TypeScript or JavaScript text: its code without comments, and what it imports. */

/** A slash after one of these starts a regular expression, not a division. */
const BEFORE_REGEXP =
  /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield))\s*$/;

/** The end of a quoted text or regular expression that starts at `start`; one that is not closed ends with its line. */
function literalEnd(text, start, close) {
  let inClass = false;
  for (let index = start + 1; index < text.length; index++) {
    const char = text[index];
    if (char === '\\') index++;
    else if (char === '\n' && close !== '`') return index;
    else if (close === '/' && char === '[') inClass = true;
    else if (close === '/' && char === ']') inClass = false;
    else if (char === close && !inClass) return index + 1;
  }
  return text.length;
}

/**
 * The text with every comment replaced by spaces, so that lines and columns stay, and a search in it that finds nothing
 * that begins within a quoted text. Template literals are taken as one text up to the next backtick: templates within
 * templates are rare.
 */
export function codeOf(text) {
  let code = '';
  const literals = [];
  for (let index = 0; index < text.length; ) {
    const char = text[index];
    let end = index + 1;
    let isComment = false;
    if (char === '"' || char === "'" || char === '`') {
      end = literalEnd(text, index, char);
      literals.push([index, end]);
    } else if (text.startsWith('//', index)) {
      const newline = text.indexOf('\n', index);
      end = newline < 0 ? text.length : newline;
      isComment = true;
    } else if (text.startsWith('/*', index)) {
      const close = text.indexOf('*/', index + 2);
      end = close < 0 ? text.length : close + 2;
      isComment = true;
    } else if (char === '/' && BEFORE_REGEXP.test(code.slice(-40))) {
      end = literalEnd(text, index, '/');
      literals.push([index, end]);
    }
    const part = text.slice(index, end);
    code += isComment ? part.replace(/[^\n]/g, ' ') : part;
    index = end;
  }
  const isLiteral = (at) => literals.some(([start, end]) => start <= at && at < end);
  return {
    text: code,
    find: (pattern) => [...code.matchAll(pattern)].filter((match) => !isLiteral(match.index)),
  };
}

const IMPORT_FORMS = [
  // import … from 'x', import 'x', export … from 'x'; with or without `type`
  /(?:^|[;\n])[ \t]*(?:import|export)\b(?:[^'"`;()]*?\bfrom)?\s*(['"])([^'"\n]+)\1/g,
  // import('x') as an expression or as a type, require('x'), require.resolve('x')
  /\b(?:import|require|require\.resolve)\s*\(\s*(['"`])([^'"`\n]+)\1/g,
  // a worker's entry
  /\bnew URL\(\s*(['"`])([^'"`\n]+)\1\s*,\s*import\.meta\.url/g,
];

/** Every module that a text names, with its line. */
export function importsOf(text) {
  const code = codeOf(text);
  return IMPORT_FORMS.flatMap((form) => code.find(form))
    .map((match) => ({ specifier: match[2], line: lineAt(code.text, match.index + match[0].length) }))
    .sort((left, right) => left.line - right.line);
}

/** The line number, from 1, of a position in a text. */
export function lineAt(text, index) {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
