"""The real NSX-v plugin (vmware-nsx 17.0.0) in a real Neutron (17.0.0), with NSX Manager played in the same process.

Run by the lab in a virtualenv of its own; `constraints.txt` names every package in it. What the plugin does is real;
what NSX Manager answers is what the plugin's own test double answers, and what the plugin's code expects of it.
"""
