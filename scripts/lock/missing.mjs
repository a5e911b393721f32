/** Which packages a lock file asks for as optional dependencies, but does not list. */

export function missingOptionalPackages(lock) {
  const missing = new Map();
  for (const [parent, entry] of Object.entries(lock.packages ?? {})) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!placesSeenFrom(parent).some((place) => `${place}node_modules/${name}` in lock.packages)) {
        missing.set(name, { name, version, parent });
      }
    }
  }
  return [...missing.values()];
}

/** Where npm looks for what a package needs: below it, and below everything that it lies in. */
function placesSeenFrom(parent) {
  const places = [''];
  for (let at = parent.length; at > 0; at = parent.lastIndexOf('/node_modules/', at - 1)) {
    places.push(`${parent.slice(0, at)}/`);
  }
  return places;
}
