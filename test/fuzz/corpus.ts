/** Inputs that once reached code which none before had reached: a line of base64 each. */
import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'

/** Where those of a target are. */
export function corpusFile(name: string): URL {
  return new URL(`corpus/${name}.txt`, import.meta.url)
}

/** Those of a target; none where none was kept. */
export async function readCorpus(name: string): Promise<readonly Buffer[]> {
  const text = await readFile(corpusFile(name), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line, 'base64'))
}
