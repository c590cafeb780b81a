/**
 * Beside the spine, cli. How much garbage the process keeps, and how often it collects. V8 lets its old generation grow to several times
 * what is live before it collects: after a burst of work a service of 100 MiB has 300, and keeps them as long as little happens.
 */
import { getHeapStatistics, type HeapInfo, setFlagsFromString } from 'node:v8'

const MIB = 1024 * 1024
/** V8 collects once the heap has grown by so many percent of what was live. */
const GROWTH_PERCENT = 30
/** The limit of an old generation of 128 MiB, with three semi-spaces of 16. */
const SMALL_HEAP_BYTES = (128 + 48) * MIB

/**
 * Has V8 collect earlier, which costs some percent of CPU where much is kept for a moment; and keeps what is young from growing in a small
 * heap. For processes that are ours alone, before they load much.
 */
export function boundGarbage(heap: Pick<HeapInfo, 'heap_size_limit'> = getHeapStatistics()): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
  // As soon as less is free than a semi-space takes, which `--max-old-space-size` leaves at 16 MiB, V8 collects all of the heap without end:
  // a gateway of 64 MiB spent four fifths of its time on it.
  if (heap.heap_size_limit <= SMALL_HEAP_BYTES) setFlagsFromString('--semi-space-growth-factor=1')
}
