/** Keys of a command that owns the terminal: q and Ctrl-C end it, Ctrl-Z suspends it. */

/** `onResumed`: the terminal is ours again, and whatever was drawn is gone. Returns what gives it back for good. */
export function listenToKeys(input: NodeJS.ReadStream, onQuit: () => void, onResumed: () => void): () => void {
  if (!input.isTTY) return () => {};
  const take = (): void => {
    input.setRawMode(true);
    input.resume();
  };
  const giveBack = (): void => {
    input.setRawMode(false);
    input.pause();
  };
  const resumed = (): void => {
    take();
    onResumed();
  };
  const onData = (data: Buffer): void => {
    for (const key of data.toString('latin1')) {
      // In raw mode the terminal makes no signals of these.
      if (key === 'q' || key === 'Q' || key === '\x03') onQuit();
      else if (key === '\x1a' && process.platform !== 'win32') {
        giveBack();
        process.once('SIGCONT', resumed);
        process.kill(process.pid, 'SIGTSTP');
      }
    }
  };
  input.on('data', onData);
  take();
  return () => {
    input.off('data', onData);
    process.off('SIGCONT', resumed);
    giveBack();
  };
}
