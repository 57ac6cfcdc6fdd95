export default "modules are served as JavaScript";
