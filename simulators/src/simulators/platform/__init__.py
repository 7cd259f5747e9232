"""The wealth platform around us, as far as meetings need it: login, token keys, and the directory of people."""
