"""Files of annotated pictures in the forms that detection and tracking share."""
