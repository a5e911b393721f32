// Imports the engine in a Node that claims an ABI for which uWebSockets.js has no binary, and prints how starting fails.
Object.defineProperty(process.versions, 'modules', { value: '9999' });
const { createEngine } = await import('#src/index.js');
const engine = createEngine({ port: 0, lanes: 1 });
try {
  await engine.start();
  console.log('started');
} catch (error) {
  console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message }));
}
await engine.close();
