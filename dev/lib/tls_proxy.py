"""Speaks TLS for a server that does not: tls_proxy.py PORT TARGET_PORT CERTIFICATE KEY, all on loopback."""

import asyncio
import ssl
import sys

CHUNK_BYTES = 1 << 16


async def main(port, target, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # gRPC's clients insist that HTTP/2 is agreed on.
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(lambda *client: connect(target, *client), "127.0.0.1", port, ssl=context)
    await server.serve_forever()


async def connect(target, reader, writer):
    try:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, target_writer), pump(target_reader, writer))


async def pump(reader, writer):
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        # The other direction ends as well, since this closes its end.
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
