"""The randomisation test of attribution methods: `sanity`."""
