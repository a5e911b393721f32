/** The normal form of a filter's text: one text for all that differ only in white space, quotes, brackets and numbers. */

import type { FieldPath } from './field-scan.js';
import type { BinaryOp, FilterConstant, FilterNode } from './filter-syntax.js';

/** What binds tighter has a higher number. */
const CHOICE = 1;
const UNARY = 8;
const POSTFIX = 9;
const PRECEDENCE: Record<BinaryOp | '&&' | '||', number> = {
  '||': 2,
  '&&': 3,
  '==': 4,
  '!=': 4,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  in: 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
};

/** Words that the grammar does not take as the first name of a field. */
const RESERVED = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return var void ' +
    'while __proto__ prototype'
  ).split(' '),
);
/** Words that it does not take behind a dot either. */
const NO_NAMES = new Set(['true', 'false', 'null', 'in']);

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function filterText(node: FilterNode): string {
  switch (node.kind) {
    case 'constant':
      return constantText(node.value);
    case 'field':
      return pathText(node.path);
    case 'list':
      return `[${node.items.map(filterText).join(', ')}]`;
    case '&&':
    case '||':
      return node.parts.map((part) => within(part, PRECEDENCE[node.kind])).join(` ${node.kind} `);
    case '!':
      return `!${within(node.operand, UNARY)}`;
    case 'minus':
      return `-${within(node.operand, UNARY)}`;
    case 'binary': {
      const precedence = PRECEDENCE[node.op];
      return `${within(node.left, precedence)} ${node.op} ${within(node.right, precedence + 1)}`;
    }
    case 'choice':
      return `${within(node.condition, CHOICE + 1)} ? ${filterText(node.yes)} : ${filterText(node.no)}`;
    case 'matches':
      return `${within(node.text, POSTFIX)}.matches(${constantText(node.source)})`;
    case 'call': {
      const [first, second] = node.args;
      if (second === undefined) return `${node.name}(${filterText(first)})`;
      return `${within(first, POSTFIX)}.${node.name}(${filterText(second)})`;
    }
  }
}

/** In brackets where it binds less than its surroundings ask for. */
function within(node: FilterNode, precedence: number): string {
  const text = filterText(node);
  return precedenceOf(node) < precedence ? `(${text})` : text;
}

function precedenceOf(node: FilterNode): number {
  switch (node.kind) {
    case 'choice':
      return CHOICE;
    case 'binary':
      return PRECEDENCE[node.op];
    case '&&':
    case '||':
      return PRECEDENCE[node.kind];
    case '!':
    case 'minus':
      return UNARY;
    case 'constant':
      // A number's point or sign would read differently in front of a dot.
      return typeof node.value === 'number' || typeof node.value === 'bigint' ? UNARY : POSTFIX;
    default:
      return POSTFIX;
  }
}

function pathText(path: FieldPath): string {
  const [first, ...inner] = path;
  const start = IDENTIFIER.test(first) && !RESERVED.has(first) ? first : `[${JSON.stringify(first)}]`;
  return inner.reduce((text, name) => {
    const isName = IDENTIFIER.test(name) && !NO_NAMES.has(name);
    return isName ? `${text}.${name}` : `${text}[${JSON.stringify(name)}]`;
  }, start);
}

function constantText(value: FilterConstant): string {
  if (typeof value !== 'number') return typeof value === 'string' ? JSON.stringify(value) : String(value);
  // With an exponent, as the digits alone may be more than an integer of the grammar can be.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}
