"""The methods of attribution, a file for each family; `cnnlab.attribution.catalog` lists them."""
