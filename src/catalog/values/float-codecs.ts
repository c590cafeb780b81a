/** Stage 3, catalog. float4 and float8 behind Prisma's Float. Both forms keep −0, NaN and the infinities. */
import { readInt32 } from '../../pgoutput/big-endian.ts'
import { exactCodec, type ValueCodec } from './value-codec.ts'
import { widenFloat4 } from './widen-float4.ts'

const cell = new DataView(new ArrayBuffer(8))

/** float4 as a number. */
export const float4Codec: ValueCodec = exactCodec({
  parse: Number,
  decode(buffer, start) {
    cell.setInt32(0, readInt32(buffer, start))
    return widenFloat4(cell.getFloat32(0))
  },
  byteLength: 4,
})

/** float8 as a number. */
export const float8Codec: ValueCodec = exactCodec({
  parse: Number,
  decode(buffer, start) {
    cell.setInt32(0, readInt32(buffer, start))
    cell.setInt32(4, readInt32(buffer, start + 4))
    return cell.getFloat64(0)
  },
  byteLength: 8,
})
