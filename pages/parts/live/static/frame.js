// The wire format: bytes -> one frame. Pure, so that it can be tested without a socket.
//
//   0..3   uint32, little endian: the length H of the header
//   4..    H bytes of UTF-8 JSON, zero padded to a multiple of 4
//   then   the arrays that header.arrays lists as [name, dtype, length], each zero padded to a multiple of 4

const DTYPES = { f4: Float32Array, i4: Int32Array, u1: Uint8Array };
const text = new TextDecoder();

const aligned = (offset) => (offset + 3) & ~3;

/** @returns {{header: object, arrays: Object<string, TypedArray>}} views into `buffer`: nothing is copied. */
export function decodeFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(text.decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let offset = aligned(4 + length);
  for (const [name, dtype, count] of header.arrays) {
    const view = new DTYPES[dtype](buffer, offset, count);
    arrays[name] = view;
    offset = aligned(offset + view.byteLength);
  }
  return { header, arrays };
}
