"""Make the pages of this folder that repeat what code and tables say."""
