/** Stage 6, bus. What a process may keep of changes, by what its heap has left when it begins. */
import { getHeapStatistics, type HeapInfo } from 'node:v8'

const MIB = 1024 * 1024
/** V8 counts three semi-spaces in the limit; nothing that stays lives there. */
const YOUNG_BYTES = 48 * MIB
/** However little is left, something has to be able to wait. */
const LEFT_BYTES_MIN = 8 * MIB
const HELD_SHARE = 1 / 8
const HELD_BYTES_MAX = 16 * MIB
const RESULTS_SHARE = 1 / 16
const RESULTS_BYTES_MAX = 8 * MIB
const LOG_SHARE = 1 / 4
const LOG_READ_SHARE = 3 / 8

/** Bytes of the heap that are free for what stays. */
export function heapBytesLeft(
  heap: Pick<HeapInfo, 'heap_size_limit' | 'used_heap_size'> = getHeapStatistics(),
): number {
  return Math.max(LEFT_BYTES_MIN, heap.heap_size_limit - YOUNG_BYTES - heap.used_heap_size)
}

/** How much may wait in all queues of a process. */
export function heldBytesMaxOf(bytesLeft: number): number {
  return Math.min(HELD_BYTES_MAX, Math.floor(bytesLeft * HELD_SHARE))
}

/** How much results may take that are kept for others who ask for the same. */
export function resultBytesMaxOf(bytesLeft: number): number {
  return Math.min(RESULTS_BYTES_MAX, Math.floor(bytesLeft * RESULTS_SHARE))
}

/** How much a log may keep, and while somebody is still reading the oldest of it: a small transaction is objects more than bytes. */
export function logBytesMaxOf(bytesLeft: number): { readonly kept: number; readonly read: number } {
  return { kept: Math.floor(bytesLeft * LOG_SHARE), read: Math.floor(bytesLeft * LOG_READ_SHARE) }
}
