// SPDX-License-Identifier: Apache-2.0
// TLS connections of our own in the addon (native/tls/outgoing.hpp), for a certificate whose key is in a token.
// Types only; native.ts has the class.

/** Whom a connection of our own is to, and the certificate that it shows, whose key is in a token. */
export interface OutgoingPeer {
  /** A host name or an address, which the server's certificate must have. */
  name: string;
  /** PEM: who may have signed that. */
  anchors: string;
  /** PEM, the leaf first. */
  chain: string;
  reference: string;
}

/** TLS over bytes; the socket is the caller's. */
export interface Outgoing {
  /**
   * Takes what came from the network and what is to be sent, as long as a token takes to sign; one call after
   * the other. With an `error`, one sentence, nothing more comes of it, and `toNetwork` is the alert.
   */
  step(
    fromNetwork: Uint8Array,
    toSend: Uint8Array,
  ): Promise<{
    toNetwork: Uint8Array;
    received: Uint8Array;
    isEstablished: boolean;
    /** The server has said that it sends nothing more. */
    hasEnded: boolean;
    error: string;
  }>;
}
