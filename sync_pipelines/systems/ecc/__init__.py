"""SAP ECC behind the port, by files alone: IDocs in, extracts and acknowledgements out."""
