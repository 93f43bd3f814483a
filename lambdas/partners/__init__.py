"""Third parties: here the mock of the identity bureau, which takes questions and answers them later."""
