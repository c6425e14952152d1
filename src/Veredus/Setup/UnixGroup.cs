using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Veredus.Setup;

/// <summary>Groups of this host.</summary>
internal static partial class UnixGroup
{
    /// <summary>The number of a group; <see langword="null"/> if the host has none of that name.</summary>
    public static uint? Find(string name)
    {
        try
        {
            return File.ReadLines("/etc/group").Select(line => line.Split(':')).FirstOrDefault(fields => fields.Length > 2 && fields[0] == name) is { } found
                && uint.TryParse(found[2], NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <exception cref="IOException">The group is not there, or this process may not.</exception>
    public static void Give(string path, string group)
    {
        var id = Find(group) ?? throw new IOException($"There is no group '{group}' on this host.");
        if (ChangeOwner(path, uint.MaxValue, id) != 0)
            throw new IOException($"{path} cannot be given to group '{group}'.", new Win32Exception(Marshal.GetLastPInvokeError()));
    }

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint owner, uint group);
}
