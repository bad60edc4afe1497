"""The path under which this server lies, such as /a of several servers behind one proxy; "" if none."""

import streamlit as st

BASE = "/".join(["", *filter(None, str(st.get_option("server.baseUrlPath") or "").split("/"))])
