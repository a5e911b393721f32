/**
 * Text of a filter to its tree. cel-js parses; what its tree has more than the language is refused here, with the place,
 * and all limits are checked: whoever has a FilterNode needs no checks any more.
 */

import { type ASTNode, ParseError, parse } from '@marcbachmann/cel-js';
import { RingcastError, reasonOf } from '../errors.js';
import { utf8Length } from '../protocol/utf8.js';
import { type FieldPath, problemOfPath } from './field-scan.js';
import { FilterPattern, PATTERNS_MAX_SIZE } from './filter-pattern.js';

/** Of the text, and of its normal form, which may be the longer one. */
export const FILTER_MAX_CHARS = 4096;
export const FILTER_MAX_NODES = 512;
/** Operations inside each other; a chain of one operator counts once. */
export const FILTER_MAX_DEPTH = 32;
/** A field costs time per key of a message. */
export const FILTER_MAX_FIELDS = 64;
/** `contains` and `matches` together: these take time per character of the text. */
const SEARCHES_MAX = 32;
/** Each keeps up to 256 KiB of states. */
const PATTERNS_MAX = 8;
/** As MessagePack's uint64 has it. */
const INTEGER_MAX = 2n ** 64n - 1n;

export type FilterConstant = string | number | bigint | boolean | null;
export type BinaryOp = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+' | '-' | '*' | '/' | '%';
export type FilterFunction = keyof typeof ARITY;

export type FilterNode =
  | { readonly kind: 'constant'; readonly value: FilterConstant }
  | { readonly kind: 'field'; readonly path: FieldPath }
  /** Only on the right of `in`. */
  | { readonly kind: 'list'; readonly items: readonly FilterNode[] }
  /** Of two parts at least, none of which is of the same kind. */
  | { readonly kind: '&&' | '||'; readonly parts: readonly FilterNode[] }
  | { readonly kind: '!' | 'minus'; readonly operand: FilterNode }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: FilterNode; readonly right: FilterNode }
  | { readonly kind: 'choice'; readonly condition: FilterNode; readonly yes: FilterNode; readonly no: FilterNode }
  | { readonly kind: 'matches'; readonly text: FilterNode; readonly source: string; readonly pattern: FilterPattern }
  | { readonly kind: 'call'; readonly name: FilterFunction; readonly args: readonly FilterNode[] };

/** Arguments of each function, the receiver included. */
const ARITY = { contains: 2, endsWith: 2, exists: 1, matches: 2, size: 1, startsWith: 2 };

const isFunction = (name: string): name is FilterFunction => Object.hasOwn(ARITY, name);

/** Operators that form a chain with each other: `a + b - c` is no deeper than `a + b`. */
const CHAIN: Partial<Record<string, string>> = { '+': '+', '-': '+', '*': '*', '/': '*', '%': '*' };

/** What cel-js calls its tokens, where a message of its names them. */
// biome-ignore format: rows of related ones
const TOKENS: Partial<Record<string, string>> = {
  EOF: 'the end', IDENTIFIER: 'a name', NUMBER: 'a number', STRING: 'a string', BOOLEAN: 'a boolean', NULL: 'null',
  LPAREN: "'('", RPAREN: "')'", LBRACKET: "'['", RBRACKET: "']'", LBRACE: "'{'", RBRACE: "'}'",
  DOT: "'.'", COMMA: "','", COLON: "':'", QUESTION: "'?'",
  PLUS: "'+'", MINUS: "'-'", MULTIPLY: "'*'", DIVIDE: "'/'", MODULO: "'%'",
  EQ: "'=='", NE: "'!='", LT: "'<'", LE: "'<='", GT: "'>'", GE: "'>='", AND: "'&&'", OR: "'||'", NOT: "'!'", IN: "'in'",
};

/** Some reasons quote the text, which may be long, and cut in the middle of a character. */
const REASON_MAX_CHARS = 200;

export function filterError(index: number, reason: string): RingcastError {
  const shown = reason.slice(0, REASON_MAX_CHARS).replace(/\p{Surrogate}/gu, '\ufffd');
  return new RingcastError('BAD_REQUEST', `filter, column ${index + 1}: ${shown}`);
}

/** Throws BAD_REQUEST with the place and the reason. */
export function parseFilter(text: string): FilterNode {
  if (typeof text !== 'string') throw filterError(0, 'a filter is a text');
  if (text.length > FILTER_MAX_CHARS) throw filterError(FILTER_MAX_CHARS, `more than ${FILTER_MAX_CHARS} characters`);
  return new TreeReader().node(treeOf(text), 1);
}

function treeOf(text: string): ASTNode {
  try {
    return parse(text).ast;
  } catch (cause) {
    const isKnown = cause instanceof ParseError;
    const reason = isKnown ? cause.summary : reasonOf(cause);
    const words = reason.replace(/\b[A-Z]{2,}\b/g, (name) => TOKENS[name] ?? name);
    throw filterError(isKnown ? (cause.range?.start ?? 0) : 0, words.charAt(0).toLowerCase() + words.slice(1));
  }
}

/** Owner: parseFilter(), for one filter. It counts what is limited. */
class TreeReader {
  #nodes = 0;
  #searches = 0;
  #patterns = 0;
  #patternsSize = 0;
  readonly #fields = new Set<string>();

  node(ast: ASTNode, depth: number): FilterNode {
    this.#count(ast, depth);
    switch (ast.op) {
      case 'value':
        return { kind: 'constant', value: constantOf(ast, ast.args) };
      case 'id':
      case '.':
      case '[]':
      case 'list':
        return this.#field(ast);
      case '&&':
      case '||':
        return { kind: ast.op, parts: ast.args.flatMap((each) => this.#parts(ast.op, each, depth)) };
      case '!_':
        return { kind: '!', operand: this.node(ast.args, depth + 1) };
      case '-_':
        return negated(this.node(ast.args, depth + 1));
      case '?:': {
        const [condition, yes, no] = ast.args.map((each) => this.node(each, depth + 1));
        return { kind: 'choice', condition, yes, no };
      }
      case 'call':
        return this.#call(ast, ast.args[0], ast.args[1], depth);
      case 'rcall':
        return this.#call(ast, ast.args[0], [ast.args[1], ...ast.args[2]], depth);
      case 'map':
        throw filterError(ast.start, 'filters have no map literals');
      case '.?':
      case '[?]':
        throw filterError(ast.start, 'filters have no optional fields: a missing one is null anyway');
      default: {
        const [left, right] = ast.args;
        const isChain = CHAIN[ast.op] !== undefined && CHAIN[left.op] === CHAIN[ast.op];
        return {
          kind: 'binary',
          op: ast.op,
          left: this.node(left, isChain ? depth : depth + 1),
          right: ast.op === 'in' && right.op === 'list' ? this.#list(right, depth + 1) : this.node(right, depth + 1),
        };
      }
    }
  }

  #count(ast: ASTNode, depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > FILTER_MAX_NODES) throw filterError(ast.start, `more than ${FILTER_MAX_NODES} operations`);
    if (depth > FILTER_MAX_DEPTH) throw filterError(ast.start, `nested more than ${FILTER_MAX_DEPTH} deep`);
  }

  /** `a && (b && c)` is one chain, as it means the same. */
  #parts(op: '&&' | '||', ast: ASTNode, depth: number): readonly FilterNode[] {
    const node = this.node(ast, ast.op === op ? depth : depth + 1);
    return node.kind === op ? node.parts : [node];
  }

  #list(ast: ASTNode & { readonly op: 'list' }, depth: number): FilterNode {
    this.#count(ast, depth);
    return { kind: 'list', items: ast.args.map((item) => this.node(item, depth + 1)) };
  }

  #field(ast: ASTNode): FilterNode {
    const path = pathOf(ast);
    const problem = problemOfPath(path);
    if (problem !== null) throw filterError(ast.start, problem);
    this.#fields.add(JSON.stringify(path));
    if (this.#fields.size > FILTER_MAX_FIELDS) throw filterError(ast.start, `more than ${FILTER_MAX_FIELDS} fields`);
    return { kind: 'field', path };
  }

  #call(ast: ASTNode, name: string, args: readonly ASTNode[], depth: number): FilterNode {
    if (!isFunction(name)) {
      throw filterError(ast.start, `unknown function ${name}; there are ${Object.keys(ARITY).join(', ')}`);
    }
    if (args.length !== ARITY[name]) {
      const counts = `takes ${ARITY[name]} (the receiver counts), and ${args.length} given`;
      throw filterError(ast.start, `wrong number of arguments: ${name} ${counts}`);
    }
    if (name === 'contains' || name === 'matches') this.#searches += 1;
    if (this.#searches > SEARCHES_MAX) throw filterError(ast.start, `more than ${SEARCHES_MAX} searches in texts`);
    if (name === 'matches') return this.#matches(args[0], args[1], depth);
    const nodes = args.map((each) => this.node(each, depth + 1));
    if (name === 'exists' && nodes[0].kind !== 'field') throw filterError(args[0].start, 'exists takes a field');
    return { kind: 'call', name, args: nodes };
  }

  #matches(text: ASTNode, source: ASTNode, depth: number): FilterNode {
    const textNode = this.node(text, depth + 1);
    const sourceNode = this.node(source, depth + 1);
    if (sourceNode.kind !== 'constant' || typeof sourceNode.value !== 'string') {
      throw filterError(source.start, 'the pattern of matches is a constant string');
    }
    if (++this.#patterns > PATTERNS_MAX) throw filterError(source.start, `more than ${PATTERNS_MAX} patterns`);
    const pattern = FilterPattern.of(sourceNode.value);
    if (typeof pattern === 'string') throw filterError(source.start, pattern);
    this.#patternsSize += pattern.size;
    if (this.#patternsSize > PATTERNS_MAX_SIZE) {
      const size = `${this.#patternsSize} instructions, at most ${PATTERNS_MAX_SIZE} are allowed`;
      throw filterError(source.start, `the patterns are too costly: ${size}`);
    }
    return { kind: 'matches', text: textNode, source: sourceNode.value, pattern };
  }
}

/** Names from the outside in. A list of one string is a field whose name the grammar would not take as one. */
function pathOf(ast: ASTNode): string[] {
  const names: string[] = [];
  let at = ast;
  for (;;) {
    if (at.op === 'id') {
      names.push(at.args);
      break;
    }
    if (at.op === 'list') {
      if (at.args.length !== 1) throw filterError(at.start, "a list stands only behind 'in'");
      names.push(nameOf(at.args[0]));
      break;
    }
    if (at.op === '.') names.push(at.args[1]);
    else if (at.op === '[]') names.push(nameOf(at.args[1]));
    else throw filterError(at.start, 'only fields have fields');
    at = at.args[0];
  }
  return names.reverse();
}

function nameOf(ast: ASTNode): string {
  if (ast.op === 'value' && typeof ast.args === 'string') return ast.args;
  throw filterError(ast.start, 'in brackets stands the name of a field, a constant string');
}

function constantOf(ast: ASTNode, value: unknown): FilterConstant {
  if (typeof value === 'string') {
    if (utf8Length(value) < 0) throw filterError(ast.start, 'a string with half a surrogate pair');
    return value;
  }
  if (typeof value === 'bigint') {
    if (value > INTEGER_MAX) throw filterError(ast.start, 'an integer beyond 64 bits');
    const number = Number(value);
    return BigInt(number) === value ? number : value;
  }
  if (typeof value === 'object' && value !== null)
    throw filterError(ast.start, 'filters have no bytes, and no suffix u');
  return value as number | boolean | null;
}

/** A negative number is a constant like any other. There is no −0: it would be written as 0. */
function negated(operand: FilterNode): FilterNode {
  if (operand.kind === 'constant') {
    if (typeof operand.value === 'number') return { kind: 'constant', value: 0 - operand.value };
    if (typeof operand.value === 'bigint') return { kind: 'constant', value: -operand.value };
  }
  return { kind: 'minus', operand };
}
