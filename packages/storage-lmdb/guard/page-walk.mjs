// @ts-check
import { crc32 } from 'node:zlib';
import { Damage, pageHeaderBytes, pageKind, readPageNumber } from './page-file.mjs';

/** @typedef {import('./page-file.mjs').Tree} Tree */
/** @typedef {import('./page-file.mjs').PageFile} PageFile */
/**
 * @typedef {object} WalkOptions
 * @property {number} deadlineMs When leaves stop being read, on the clock of `performance.now()`.
 * @property {readonly Buffer[]} critical Records whose stored key starts with one of these are read however late it is.
 */
/**
 * @typedef {object} WalkReport
 * @property {number} recordsChecked
 * @property {boolean} complete
 * @property {Buffer | null} unreadFrom Stored key at or below the first record that was left unread.
 */

const nodeHeaderBytes = 8;
const nodeIsBig = 1;
const crcBytes = 4;
const nothing = Buffer.alloc(0);
/** Deeper than any tree of 2^48 pages with two entries a page can sensibly be; stops a walk in a circle. */
const depthMax = 32;

/**
 * Walks everything that LMDB would follow from the newest meta page: all branch pages, the tree of free pages, and the
 * leaves with their records until the deadline. Throws {@link Damage} at the first page or record that is not what was
 * written: headers, pointers, order of keys against their neighbours and separators, checksums, and (if all was read)
 * the counts that LMDB keeps.
 * @param {PageFile} file @param {WalkOptions} options @returns {WalkReport}
 */
export function walk(file, options) {
  const free = new TreeWalk(file, file.meta.free, { deadlineMs: Number.POSITIVE_INFINITY, critical: [] }, false);
  free.run();
  const main = new TreeWalk(file, file.meta.main, options, true);
  main.run();
  return { recordsChecked: main.entries, complete: main.unreadFrom === null, unreadFrom: main.unreadFrom };
}

class TreeWalk {
  entries = 0;
  /** @type {Buffer | null} */
  unreadFrom = null;
  #branchPages = 0;
  #leafPages = 0;
  #overflowPages = 0;
  /** One page buffer for each level, since a branch page is gone back to after each child. @type {Buffer[]} */
  #pages = [];
  #overflow = nothing;
  /** Copy of the last key that was read. @type {Buffer | null} */
  #lastKey = null;
  #late = false;

  /** @param {PageFile} file @param {Tree} tree @param {WalkOptions} options @param {boolean} isRecords False: the free pages, whose keys are integers and whose values are LMDB's own. */
  constructor(file, tree, options, isRecords) {
    this.file = file;
    this.tree = tree;
    this.options = options;
    this.isRecords = isRecords;
    this.name = isRecords ? 'records' : 'free pages';
  }

  run() {
    const { root, depth } = this.tree;
    if (root === null) return;
    if (depth < 1 || depth > depthMax) throw new Damage(`the tree of ${this.name} has depth ${depth}`, 'meta page');
    this.#visit(root, depth, nothing, null);
    if (this.unreadFrom === null) this.#compareCounts();
  }

  /** @param {number} number @param {number} levels Down to the leaves, this one included. @param {Buffer} low @param {Buffer | null} high Exclusive; null: none. */
  #visit(number, levels, low, high) {
    if (levels === 1) this.#visitLeaf(number, low, high);
    else this.#visitBranch(number, levels, low, high);
  }

  /** @param {number} number @param {number} levels @param {Buffer} low @param {Buffer | null} high */
  #visitBranch(number, levels, low, high) {
    const page = this.#pageOf(levels);
    this.file.read(number, pageKind.branch, page);
    this.#branchPages += 1;
    const count = this.#nodeCount(page, number);
    let from = low;
    for (let i = 0; i < count; i++) {
      const node = this.#nodeAt(page, number, i);
      const child =
        page.readUInt16LE(node) + page.readUInt16LE(node + 2) * 2 ** 16 + page.readUInt16LE(node + 4) * 2 ** 32;
      const to = i + 1 < count ? Buffer.from(keyAt(page, this.#nodeAt(page, number, i + 1))) : high;
      if (this.isRecords && to !== null && (from.compare(to) >= 0 || (high !== null && to.compare(high) > 0))) {
        throw new Damage(`the separators of branch page ${number} are out of order`, `page ${number}`);
      }
      this.#visit(child, levels - 1, from, to);
      if (to !== null) from = to;
    }
  }

  /** @param {number} number @param {Buffer} low @param {Buffer | null} high */
  #visitLeaf(number, low, high) {
    if (this.#isLate() && !this.#isCritical(low, high)) {
      this.unreadFrom ??= low;
      this.#lastKey = null;
      return;
    }
    const page = this.#pageOf(1);
    this.file.read(number, pageKind.leaf, page);
    this.#leafPages += 1;
    const count = this.#nodeCount(page, number);
    let before = this.#lastKey;
    for (let i = 0; i < count; i++) {
      const node = this.#nodeAt(page, number, i);
      const key = keyAt(page, node);
      if (this.isRecords) {
        const inPlace =
          (before === null || before.compare(key) < 0) &&
          low.compare(key) <= 0 &&
          (high === null || key.compare(high) < 0);
        if (!inPlace) throw new Damage(`key ${printKey(key)} is out of order`, `page ${number}, record ${i}`);
      }
      this.#checkEntry(page, node, key, `page ${number}, record ${i}`);
      before = key;
    }
    this.entries += count;
    this.#lastKey = before === null ? null : Buffer.from(before);
  }

  /** @param {Buffer} page @param {number} node @param {Buffer} key @param {string} where */
  #checkEntry(page, node, key, where) {
    const dataBytes = page.readUInt32LE(node);
    const flags = page.readUInt16LE(node + 4);
    const at = node + nodeHeaderBytes + key.length;
    if (flags === 0) {
      if (at + dataBytes > page.length) throw new Damage('a record reaches beyond its page', where);
      if (!this.isRecords) return;
      if (dataBytes < crcBytes) throw new Damage(`record ${printKey(key)} is too short`, where);
      const end = at + dataBytes - crcBytes;
      // Key and value lie side by side, and the checksum covers both.
      if (crc32(page.subarray(node + nodeHeaderBytes, end)) !== page.readUInt32BE(end))
        throw checksumDamage(key, where);
      return;
    }
    if (flags !== nodeIsBig) throw new Damage(`a record has flags ${flags}`, where);
    if (at + 24 > page.length) throw new Damage('a record reaches beyond its page', where);
    this.#checkBig(key, dataBytes, { first: readPageNumber(page, at), pages: readPageNumber(page, at + 16) }, where);
  }

  /**
   * A value on pages of its own; `pages` of them, which may be more than it needs, when it replaced a longer one.
   * @param {Buffer} key @param {number} dataBytes @param {{ first: number, pages: number }} run @param {string} where
   */
  #checkBig(key, dataBytes, { first, pages }, where) {
    const { pageBytes } = this.file.meta;
    const needed = Math.floor((pageHeaderBytes - 1 + dataBytes) / pageBytes) + 1;
    if (needed > pages || pages * pageBytes > this.file.bytes) {
      throw new Damage(`record ${printKey(key)} claims ${dataBytes} bytes on ${pages} pages`, where);
    }
    if (this.#overflow.length < needed * pageBytes) this.#overflow = Buffer.allocUnsafe(needed * pageBytes);
    this.file.read(first, pageKind.overflow, this.#overflow, needed);
    if (this.#overflow.readUInt32LE(20) !== pages)
      throw new Damage(`overflow page ${first} has another length than its record`, where);
    this.#overflowPages += pages;
    if (!this.isRecords) return;
    const end = pageHeaderBytes + dataBytes - crcBytes;
    if (
      dataBytes < crcBytes ||
      crc32(this.#overflow.subarray(pageHeaderBytes, end), crc32(key)) !== this.#overflow.readUInt32BE(end)
    ) {
      throw checksumDamage(key, `${where}, page ${first}`);
    }
  }

  #compareCounts() {
    const { branchPages, leafPages, overflowPages, entries } = this.tree;
    const found = `${this.#branchPages} branch, ${this.#leafPages} leaf, ${this.#overflowPages} overflow pages, ${this.entries} entries`;
    const expected = `${branchPages} branch, ${leafPages} leaf, ${overflowPages} overflow pages, ${entries} entries`;
    if (found !== expected)
      throw new Damage(`the tree of ${this.name} has ${found}; its root says ${expected}`, 'meta page');
  }

  /** @param {Buffer} page @param {number} number */
  #nodeCount(page, number) {
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    if (lower === 0 || lower % 2 !== 0 || lower > upper || upper + pageHeaderBytes > page.length) {
      throw new Damage(`page ${number} has its free space at ${lower} to ${upper}`, `page ${number}`);
    }
    return lower / 2;
  }

  /** Offset of a node in its page, with room for its header and key. @param {Buffer} page @param {number} number @param {number} index */
  #nodeAt(page, number, index) {
    const node = page.readUInt16LE(pageHeaderBytes + 2 * index) + pageHeaderBytes;
    const upper = page.readUInt16LE(22) + pageHeaderBytes;
    if (
      node < upper ||
      node + nodeHeaderBytes > page.length ||
      node + nodeHeaderBytes + page.readUInt16LE(node + 6) > page.length
    ) {
      throw new Damage(`record ${index} of page ${number} lies outside of it`, `page ${number}, record ${index}`);
    }
    return node;
  }

  /** @param {number} levels */
  #pageOf(levels) {
    return (this.#pages[levels] ??= Buffer.allocUnsafe(this.file.meta.pageBytes));
  }

  #isLate() {
    // The clock is looked at every 16 leaves.
    if (!this.#late && this.#leafPages % 16 === 0) this.#late = performance.now() >= this.options.deadlineMs;
    return this.#late;
  }

  /** Whether a key in [low, high) may start with a critical prefix. @param {Buffer} low @param {Buffer | null} high */
  #isCritical(low, high) {
    return this.options.critical.some(
      (prefix) => (high === null || prefix.compare(high) < 0) && prefix.compare(low.subarray(0, prefix.length)) >= 0,
    );
  }
}

/** @param {Buffer} page @param {number} node */
function keyAt(page, node) {
  return page.subarray(node + nodeHeaderBytes, node + nodeHeaderBytes + page.readUInt16LE(node + 6));
}

/** @param {Buffer} key @param {string} where */
function checksumDamage(key, where) {
  return new Damage(`record ${printKey(key)} does not match its checksum`, `${where}, key ${printKey(key)}`);
}

/** Stored keys start with the byte of their space. @param {Buffer} key */
function printKey(key) {
  return JSON.stringify(key.toString('utf8', 1));
}
