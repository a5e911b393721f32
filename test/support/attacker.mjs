// A thread that connects to a server and writes the bytes it is given: once, or again and again until it is ended. When it
// is closed it connects anew, if `isStubborn`. It reads whatever comes, unless `isDeaf`.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { port, localAddress, head, bytes, isContinuous, isStubborn, isDeaf } = workerData;

function attack() {
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  let isUpgraded = false;
  const write = () => {
    do {
      if (socket.destroyed) return;
    } while (socket.write(bytes) && isContinuous);
  };
  socket.on('data', () => {
    if (isUpgraded) return;
    isUpgraded = true;
    if (isDeaf) socket.pause();
    parentPort.postMessage('begun');
    write();
  });
  if (isContinuous) socket.on('drain', write);
  socket.on('error', () => {});
  socket.on('close', () => {
    parentPort.postMessage('closed');
    if (isStubborn) setImmediate(attack);
  });
  socket.write(head);
}

attack();
