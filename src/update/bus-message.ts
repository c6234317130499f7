// SPDX-License-Identifier: Apache-2.0
// Messages of D-Bus, as far as bus-signals.ts needs them ("Message Format" of the specification): calls
// of the bus itself with one string, and of what comes the type, the member and the reply's serial.
// Bodies are passed over. Pure.

export const messageType = { methodReturn: 2, error: 3, signal: 4 } as const;

export interface BusMessage {
  type: number;
  /** The signal's name; empty where it has none. */
  member: string;
  /** Of the call that this answers; 0: none. */
  replySerial: number;
}

/** A signal of an installer has some hundred bytes; the specification allows 128 MiB. */
export const messageBytesMax = 256 * 1024;

const fixedBytes = 16;
const [littleEndian, bigEndian, methodCall, version] = [0x6c, 0x42, 1, 1];
const field = { path: 1, interface: 2, member: 3, replySerial: 5, destination: 6, signature: 8 };

const padded = (length: number, to: number): number => Math.ceil(length / to) * to;

/** A variant of the header: its signature, then the value. */
function headerField(code: number, type: 'o' | 's' | 'g', value: string): Buffer {
  const bytes = Buffer.from(value);
  const lengthBytes = type === 'g' ? 1 : 4;
  const buffer = Buffer.alloc(4 + lengthBytes + bytes.length + 1);
  buffer.set([code, 1, type.charCodeAt(0)]);
  if (type === 'g') buffer.writeUInt8(bytes.length, 4);
  else buffer.writeUInt32LE(bytes.length, 4);
  bytes.copy(buffer, 4 + lengthBytes);
  return buffer;
}

/** A call of the bus itself (org.freedesktop.DBus); `argument` is a string. */
export function busCall(serial: number, member: string, argument?: string): Buffer {
  const name = 'org.freedesktop.DBus';
  const fields = [
    headerField(field.path, 'o', '/org/freedesktop/DBus'),
    headerField(field.interface, 's', name),
    headerField(field.destination, 's', name),
    headerField(field.member, 's', member),
  ];
  if (argument !== undefined) fields.push(headerField(field.signature, 'g', 's'));
  const text = Buffer.from(argument ?? '');
  const body = argument === undefined ? text : Buffer.alloc(4 + text.length + 1);
  if (argument !== undefined) {
    body.writeUInt32LE(text.length);
    text.copy(body, 4);
  }
  const fixed = Buffer.alloc(fixedBytes);
  fixed.set([littleEndian, methodCall, 0, version]);
  fixed.writeUInt32LE(body.length, 4);
  fixed.writeUInt32LE(serial, 8);
  // Structures, and the body, begin at multiples of 8; what is behind the last one counts nowhere.
  const gap = ({ length }: Buffer): Buffer => Buffer.alloc(padded(length, 8) - length);
  const head = Buffer.concat(fields.flatMap((one) => [one, gap(one)]));
  const last = fields.at(-1) ?? head;
  fixed.writeUInt32LE(head.length - gap(last).length, 12);
  return Buffer.concat([fixed, head, body]);
}

/** Throws where it is no message of D-Bus. `bytes` are all of its header. */
function readHeader(bytes: Buffer, fieldsEnd: number): BusMessage {
  const isLittle = bytes[0] === littleEndian;
  const number = (at: number): number =>
    isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  const message: BusMessage = { type: bytes[1] ?? 0, member: '', replySerial: 0 };
  for (let at = fixedBytes; at < fieldsEnd; at = padded(at, 8)) {
    const code = bytes[at];
    const type = String.fromCharCode(bytes[at + 2] ?? 0);
    at += 4;
    switch (type) {
      case 'u':
        if (code === field.replySerial) message.replySerial = number(at);
        at += 4;
        break;
      case 'g':
        at += 1 + (bytes[at] ?? 0) + 1;
        break;
      case 'o':
      case 's': {
        const end = at + 4 + number(at);
        if (code === field.member) message.member = bytes.toString('utf8', at + 4, end);
        at = end + 1;
        break;
      }
      default:
        throw new Error('it sends what is not of D-Bus');
    }
    if (at > fieldsEnd) throw new Error('it sends what is not of D-Bus');
  }
  return message;
}

/** Cuts what comes into messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws where it is no message of D-Bus, or a larger one than is expected here. */
  *take(data: Buffer): Generator<BusMessage> {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= fixedBytes) {
      const { fieldsEnd, length } = this.#measure();
      if (this.#rest.length < length) return;
      const header = this.#rest.subarray(0, padded(fieldsEnd, 8));
      this.#rest = this.#rest.subarray(length);
      yield readHeader(header, fieldsEnd);
    }
  }

  #measure(): { fieldsEnd: number; length: number } {
    const order = this.#rest[0];
    if ((order !== littleEndian && order !== bigEndian) || this.#rest[3] !== version) {
      throw new Error('it sends what is not of D-Bus');
    }
    const number = (at: number): number =>
      order === littleEndian ? this.#rest.readUInt32LE(at) : this.#rest.readUInt32BE(at);
    const fieldsEnd = fixedBytes + number(12);
    const length = padded(fieldsEnd, 8) + number(4);
    if (length > messageBytesMax)
      throw new Error('it sends more than a signal of an installer has');
    return { fieldsEnd, length };
  }
}
