"""What the doubles of Jicofo and the Jitsi Videobridge have in common."""
