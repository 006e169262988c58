"""Where raw data lies: on disks, behind addresses, in databases; and which reader its rows come from."""
