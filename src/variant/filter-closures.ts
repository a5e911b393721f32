/** The tree of a filter to closures. The shapes that most filters have (a field and a constant) decode nothing. */

import { encodeUtf8 } from '../protocol/utf8.js';
import type { FieldPath, FieldScan } from './field-scan.js';
import type { BinaryOp, FilterConstant, FilterFunction, FilterNode } from './filter-syntax.js';
import * as values from './filter-values.js';

export type FilterTest = (fields: FieldScan) => boolean;
type FilterResult = (fields: FieldScan) => unknown;
type PathIndex = (path: FieldPath) => number;

/** What a text has where its bytes are no UTF-8: its bytes say nothing about it. */
const REPLACEMENT = '\ufffd';

/** Whether the node's value is exactly true. */
export function testOf(node: FilterNode, indexOf: PathIndex): FilterTest {
  switch (node.kind) {
    case 'constant': {
      const isTrue = node.value === true;
      return () => isTrue;
    }
    case 'field': {
      const index = indexOf(node.path);
      return (fields) => fields.valueAt(index) === true;
    }
    case '&&':
      return allOf(node.parts.map((part) => testOf(part, indexOf)));
    case '||':
      return anyOf(node.parts.map((part) => testOf(part, indexOf)));
    case '!': {
      const test = testOf(node.operand, indexOf);
      return (fields) => !test(fields);
    }
    case 'choice': {
      const condition = testOf(node.condition, indexOf);
      const yes = testOf(node.yes, indexOf);
      const no = testOf(node.no, indexOf);
      return (fields) => (condition(fields) ? yes(fields) : no(fields));
    }
    case 'binary':
      return binaryTest(node.op, node.left, node.right, indexOf);
    case 'matches': {
      const text = resultOf(node.text, indexOf);
      const { pattern } = node;
      return (fields) => pattern.isIn(text(fields));
    }
    case 'call':
      return callTest(node.name, node.args, indexOf);
    case 'list':
    case 'minus':
      return never;
  }
}

const never = () => false;

function resultOf(node: FilterNode, indexOf: PathIndex): FilterResult {
  switch (node.kind) {
    case 'constant': {
      const { value } = node;
      return () => value;
    }
    case 'field': {
      const index = indexOf(node.path);
      return (fields) => fields.valueAt(index);
    }
    case 'list': {
      const items = node.items.map((item) => resultOf(item, indexOf));
      return (fields) => items.map((item) => item(fields));
    }
    case 'minus': {
      const operand = resultOf(node.operand, indexOf);
      return (fields) => values.negative(operand(fields));
    }
    case 'choice': {
      const condition = testOf(node.condition, indexOf);
      const yes = resultOf(node.yes, indexOf);
      const no = resultOf(node.no, indexOf);
      return (fields) => (condition(fields) ? yes(fields) : no(fields));
    }
    case 'binary': {
      const combine = ARITHMETIC[node.op];
      if (combine === undefined) return testOf(node, indexOf);
      const left = resultOf(node.left, indexOf);
      const right = resultOf(node.right, indexOf);
      return (fields) => combine(left(fields), right(fields));
    }
    case 'call': {
      if (node.name !== 'size') return testOf(node, indexOf);
      const operand = resultOf(node.args[0], indexOf);
      return (fields) => values.sizeOf(operand(fields));
    }
    default:
      return testOf(node, indexOf);
  }
}

const ARITHMETIC: Partial<Record<BinaryOp, (left: unknown, right: unknown) => unknown>> = {
  '+': values.plus,
  '-': values.minus,
  '*': values.times,
  '/': values.divided,
  '%': values.remainder,
};

function allOf(tests: readonly FilterTest[]): FilterTest {
  const [first, second] = tests;
  if (tests.length === 2) return (fields) => first(fields) && second(fields);
  return (fields) => {
    for (let index = 0; index < tests.length; index++) {
      if (!tests[index](fields)) return false;
    }
    return true;
  };
}

function anyOf(tests: readonly FilterTest[]): FilterTest {
  const [first, second] = tests;
  if (tests.length === 2) return (fields) => first(fields) || second(fields);
  return (fields) => {
    for (let index = 0; index < tests.length; index++) {
      if (tests[index](fields)) return true;
    }
    return false;
  };
}

// ---- operators -------------------------------------------------------------------------------------------------------

/** `5 < x` is `x > 5`. */
const MIRRORED: Partial<Record<BinaryOp, BinaryOp>> = {
  '==': '==',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function binaryTest(op: BinaryOp, left: FilterNode, right: FilterNode, indexOf: PathIndex): FilterTest {
  if (op === 'in') return inTest(left, right, indexOf);
  const mirrored = MIRRORED[op];
  if (mirrored === undefined) return never;
  if (left.kind === 'field' && right.kind === 'constant') {
    const test = fieldTest(op, indexOf(left.path), right.value);
    if (test !== null) return test;
  }
  if (left.kind === 'constant' && right.kind === 'field') {
    const test = fieldTest(mirrored, indexOf(right.path), left.value);
    if (test !== null) return test;
  }
  return compared(op, resultOf(left, indexOf), resultOf(right, indexOf));
}

/** A field and a constant, undecoded; null: not for these. */
function fieldTest(op: BinaryOp, index: number, value: FilterConstant): FilterTest | null {
  // Beyond it a rounded integer may equal a constant that the integer does not.
  if (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return numberTest(op, index, value);
  if (op !== '==' && op !== '!=') return null;
  const isEqual = equalTest(index, value);
  if (isEqual === null || op === '==') return isEqual;
  return (fields) => !isEqual(fields);
}

/** What is no number is NaN, which has no order and equals nothing. */
function numberTest(op: BinaryOp, index: number, value: number): FilterTest | null {
  switch (op) {
    case '<':
      return (fields) => fields.numberAt(index) < value;
    case '<=':
      return (fields) => fields.numberAt(index) <= value;
    case '>':
      return (fields) => fields.numberAt(index) > value;
    case '>=':
      return (fields) => fields.numberAt(index) >= value;
    case '==':
      return (fields) => fields.numberAt(index) === value;
    case '!=':
      return (fields) => fields.numberAt(index) !== value;
    default:
      return null;
  }
}

function equalTest(index: number, value: FilterConstant): FilterTest | null {
  if (value === null) return (fields) => fields.isNull(index);
  if (typeof value !== 'string' || value.includes(REPLACEMENT)) return null;
  const text = encodeUtf8(value);
  return (fields) => fields.isText(index, text);
}

function compared(op: BinaryOp, left: FilterResult, right: FilterResult): FilterTest {
  const ordered = (isRight: (a: number, b: number) => boolean) => (fields: FieldScan) => {
    const a = left(fields);
    const b = right(fields);
    // Strings and bigints have an order too; the operators are the same.
    return values.areOrdered(a, b) && isRight(a as number, b as number);
  };
  switch (op) {
    case '==':
      return (fields) => values.isSame(left(fields), right(fields));
    case '!=':
      return (fields) => !values.isSame(left(fields), right(fields));
    case '<':
      return ordered((a, b) => a < b);
    case '<=':
      return ordered((a, b) => a <= b);
    case '>':
      return ordered((a, b) => a > b);
    default:
      return ordered((a, b) => a >= b);
  }
}

function inTest(left: FilterNode, right: FilterNode, indexOf: PathIndex): FilterTest {
  const value = resultOf(left, indexOf);
  const constants = right.kind === 'list' ? constantsOf(right.items) : null;
  if (constants === null) {
    const list = resultOf(right, indexOf);
    return (fields) => values.isIn(value(fields), list(fields));
  }
  const set = new Set(constants);
  return (fields) => {
    const found = value(fields);
    // A bigint may equal a number, of which a Set knows nothing.
    return typeof found === 'bigint' ? values.isIn(found, constants) : set.has(found as FilterConstant);
  };
}

function constantsOf(items: readonly FilterNode[]): FilterConstant[] | null {
  const constants: FilterConstant[] = [];
  for (const item of items) {
    if (item.kind !== 'constant') return null;
    constants.push(item.value);
  }
  return constants;
}

// ---- functions -------------------------------------------------------------------------------------------------------

const TEXT_TESTS: Partial<Record<FilterFunction, (text: unknown, part: unknown) => boolean>> = {
  startsWith: values.startsWith,
  endsWith: values.endsWith,
  contains: values.contains,
};

function callTest(name: FilterFunction, args: readonly FilterNode[], indexOf: PathIndex): FilterTest {
  const [first, second] = args;
  if (name === 'exists' && first.kind === 'field') {
    const index = indexOf(first.path);
    return (fields) => fields.starts[index] >= 0;
  }
  const test = TEXT_TESTS[name];
  if (test === undefined) return never;
  const isPlain = second.kind === 'constant' && typeof second.value === 'string' && !second.value.includes(REPLACEMENT);
  if (name === 'startsWith' && first.kind === 'field' && isPlain) {
    const index = indexOf(first.path);
    const start = encodeUtf8(second.value);
    return (fields) => fields.startsWithText(index, start);
  }
  const text = resultOf(first, indexOf);
  const part = resultOf(second, indexOf);
  return (fields) => test(text(fields), part(fields));
}
