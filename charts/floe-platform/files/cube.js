// What Cube has no variable for; host, names and password are in its environment.
module.exports = {
  driverFactory: () => ({
    type: 'postgres',
    // While Postgres' pod is replaced, a connection may be routed to the address of the old one, where
    // nobody answers. Without a limit it hangs for minutes, and Cube is not ready as long.
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 15000,
  }),
};
