var interfaceConfig = { APP_NAME: "Jitsi Meet" };
