// @ts-check
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** What is wrong with the file, and where. Everything in this folder throws it for damage, and only for damage. */
export class Damage extends Error {
  /** @param {string} message @param {string} where */
  constructor(message, where) {
    super(message);
    this.where = where;
  }
}

/** Page kinds, from the flags of a page header. */
export const pageKind = Object.freeze({ branch: 1, leaf: 2, overflow: 4, meta: 8 });
export const pageHeaderBytes = 24;
/** A root of this value: the tree is empty. */
const noPage = 2n ** 64n - 1n;
const magic = 0xbeefc0de;
const dataVersion = 2;

/**
 * @typedef {{ depth: number, branchPages: number, leafPages: number, overflowPages: number, entries: number, root: number | null }} Tree
 * @typedef {{ pageBytes: number, lastPage: number, transaction: number, free: Tree, main: Tree }} Meta
 */

/**
 * An LMDB data file (the format of lmdb-js 3: data version 2, with the transaction in each page header), read with
 * plain reads: past its end they return less, where the memory map of LMDB raises SIGBUS.
 */
export class PageFile {
  /** @param {string} path */
  constructor(path) {
    this.fd = openSync(path, 'r');
    this.bytes = fstatSync(this.fd).size;
    try {
      this.meta = this.#newestMeta();
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  close() {
    closeSync(this.fd);
  }

  /**
   * Reads `count` pages that start at page `number` and checks the header of the first.
   * @param {number} number @param {number} kind @param {Buffer} into @param {number} [count]
   */
  read(number, kind, into, count = 1) {
    const { pageBytes, lastPage, transaction } = this.meta;
    const where = `page ${number}`;
    if (!(number >= 2 && number + count - 1 <= lastPage))
      throw new Damage(`a reference to page ${number} of ${lastPage}`, where);
    const wanted = count * pageBytes;
    const got = readSync(this.fd, into, 0, wanted, number * pageBytes);
    if (got < wanted)
      throw new Damage(`the file ends at ${this.bytes} bytes, before the end of page ${number + count - 1}`, where);
    const found = readPageNumber(into, 0);
    if (found !== number) throw new Damage(`page ${number} says that it is page ${found}`, where);
    const written = readPageNumber(into, 8);
    if (written > transaction)
      throw new Damage(`page ${number} is of transaction ${written}, the newest is ${transaction}`, where);
    const flags = into.readUInt16LE(18);
    if ((flags & 0x6f) !== kind) throw new Damage(`page ${number} has flags ${flags}, expected ${kind}`, where);
  }

  /** @returns {Meta} */
  #newestMeta() {
    const first = this.#readMeta(0, 0);
    const second = this.#readMeta(first.pageBytes, 1);
    if (second.pageBytes !== first.pageBytes)
      throw new Damage('the meta pages disagree on the page size', 'meta page 1');
    // Transaction N writes meta page N % 2, so a gap means that one of the two numbers is not what was written.
    if (Math.abs(first.transaction - second.transaction) > 1) {
      throw new Damage(
        `the meta pages are of transactions ${first.transaction} and ${second.transaction}`,
        'meta pages',
      );
    }
    return first.transaction > second.transaction ? first : second;
  }

  /** @param {number} offset @param {number} index @returns {Meta} */
  #readMeta(offset, index) {
    const where = `meta page ${index}`;
    const page = Buffer.alloc(pageHeaderBytes + 144);
    if (readSync(this.fd, page, 0, page.length, offset) < page.length) {
      throw new Damage(`the file ends at ${this.bytes} bytes, within a meta page`, where);
    }
    const body = page.subarray(pageHeaderBytes);
    if (page.readUInt16LE(18) !== pageKind.meta || body.readUInt32LE(0) !== magic)
      throw new Damage('this is not a meta page of LMDB', where);
    const version = body.readUInt32LE(4) & 0xffff;
    if (version !== dataVersion)
      throw new Damage(`the data version of LMDB is ${version}, expected ${dataVersion}`, where);
    const pageBytes = body.readUInt32LE(24);
    if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0)
      throw new Damage(`the page size is ${pageBytes}`, where);
    const transaction = readPageNumber(body, 128);
    if (transaction !== 0 && transaction % 2 !== index)
      throw new Damage(`transaction ${transaction} is on the wrong meta page`, where);
    return {
      pageBytes,
      transaction,
      lastPage: readPageNumber(body, 120),
      free: readTree(body, 24),
      main: readTree(body, 72),
    };
  }
}

/** @param {Buffer} body @param {number} at @returns {Tree} */
function readTree(body, at) {
  const root = body.readBigUInt64LE(at + 40);
  return {
    depth: body.readUInt16LE(at + 6),
    branchPages: readPageNumber(body, at + 8),
    leafPages: readPageNumber(body, at + 16),
    overflowPages: readPageNumber(body, at + 24),
    entries: readPageNumber(body, at + 32),
    root: root === noPage ? null : Number(root),
  };
}

/** 64 bits as a number; one too large to be exact is too large for a file, and refused where it is used. @param {Buffer} bytes @param {number} at */
export function readPageNumber(bytes, at) {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
