"""The demo: a helpdesk, a cast of made-up customers, and the bridge between them and a shop."""
