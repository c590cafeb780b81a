/** Scripts of worlds that once found a fault: each is short, and none may fail again. */
import { readFile, writeFile } from 'node:fs/promises'
import type { Script } from './script.ts'

/** One of them. */
export interface KeptScript {
  /** The fault, planted or real. */
  readonly finds: string
  readonly script: Script
}

const FILE = new URL('kept-scripts.jsonl', import.meta.url)

/** All that are kept. */
export async function readKept(): Promise<readonly KeptScript[]> {
  const lines = (await readFile(FILE, 'utf8')).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}

/** Keeps these, one a line. */
export async function writeKept(kept: readonly KeptScript[]): Promise<void> {
  await writeFile(FILE, kept.map((each) => `${JSON.stringify(each)}\n`).join(''))
}
